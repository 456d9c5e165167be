with customers as (

    select * from {{ ref('stg_customers') }}

),

orders as (

    select
        customer_id,
        min(order_date) as first_order_date,
        max(order_date) as last_order_date,
        count(*) as order_count,
        sum(amount_eur) as lifetime_revenue_eur
    from {{ ref('fct_orders') }}
    where counts_as_revenue
    group by customer_id

),

today as (

    -- The newest order, not the clock: a rebuild of old data gives the old answer.
    select max(order_date) as report_date
    from {{ ref('fct_orders') }}

)

select
    customers.customer_id,
    customers.customer_name,
    customers.email,
    customers.country,
    customers.customer_since,
    orders.first_order_date,
    orders.last_order_date,
    coalesce(orders.order_count, 0) as order_count,
    coalesce(orders.lifetime_revenue_eur, 0) as lifetime_revenue_eur,
    case
        when orders.order_count is null then 'prospect'
        when orders.last_order_date < today.report_date - {{ var('lapsed_after_days') }} then 'lapsed'
        when orders.order_count = 1 then 'new'
        else 'regular'
    end as segment

from customers
cross join today
left join orders on customers.customer_id = orders.customer_id
