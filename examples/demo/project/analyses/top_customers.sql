-- The twenty best customers, to copy into the invitation for the spring tasting.
select
    customer_name,
    email,
    country,
    order_count,
    lifetime_revenue_eur
from {{ ref('dim_customers') }}
where segment = 'regular'
order by lifetime_revenue_eur desc
limit 20
