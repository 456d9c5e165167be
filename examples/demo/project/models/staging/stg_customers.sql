with source as (

    select * from {{ ref('raw_customers') }}

)

select
    id as customer_id,
    first_name || ' ' || last_name as customer_name,
    lower(email) as email,
    country,
    created_at as customer_since

from source
