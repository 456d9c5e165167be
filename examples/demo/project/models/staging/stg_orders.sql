with source as (

    select * from {{ ref('raw_orders') }}

)

select
    id as order_id,
    customer_id,
    store_id,
    ordered_at,
    ordered_at::date as order_date,
    status,
    status not in ('cancelled', 'returned') as counts_as_revenue

from source
