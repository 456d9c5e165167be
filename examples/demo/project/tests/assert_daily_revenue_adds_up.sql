-- The daily mart loses no order between its calendar and its stores.
with daily as (

    select sum(umsatz_eur) as revenue
    from {{ ref('umsätze_täglich') }}

),

orders as (

    select sum(amount_eur) as revenue
    from {{ ref('fct_orders') }}
    where counts_as_revenue

)

select
    daily.revenue as daily_revenue,
    orders.revenue as order_revenue
from daily
cross join orders
where daily.revenue != orders.revenue
