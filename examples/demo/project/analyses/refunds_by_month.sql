select
    date_trunc('month', order_date)::date as month,
    store_name,
    count(*) filter (where was_refunded) as refunded_orders,
    sum(amount_eur) filter (where was_refunded) as refunded_eur,
    count(*) filter (where was_refunded) / count(*) as refund_rate
from {{ ref('fct_orders') }}
group by month, store_name
order by month, store_name
