-- Of the customers whose first order was in a month, how many ordered again n months later.
with orders as (

    select
        customer_id,
        date_trunc('month', order_date) as order_month
    from {{ ref('fct_orders') }}
    where counts_as_revenue

),

cohorts as (

    select
        customer_id,
        min(order_month) as cohort_month
    from orders
    group by customer_id

),

sizes as (

    select
        cohort_month,
        count(*) as cohort_size
    from cohorts
    group by cohort_month

)

select
    cohorts.cohort_month,
    date_diff('month', cohorts.cohort_month, orders.order_month) as months_later,
    sizes.cohort_size,
    count(distinct orders.customer_id) as active_customers,
    count(distinct orders.customer_id) / sizes.cohort_size as retention_rate

from cohorts
inner join orders on cohorts.customer_id = orders.customer_id
inner join sizes on cohorts.cohort_month = sizes.cohort_month
group by cohorts.cohort_month, months_later, sizes.cohort_size
