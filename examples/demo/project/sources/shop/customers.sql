-- No names and no addresses: the pages are open to every shop.
select
    customer_id,
    country,
    segment,
    first_order_date,
    last_order_date,
    order_count,
    lifetime_revenue_eur
from marts.dim_customers
