{{
    config(
        materialized='incremental',
        unique_key='order_id',
        on_schema_change='sync_all_columns'
    )
}}

with orders as (

    select * from {{ ref('stg_orders') }}

),

totals as (

    select * from {{ ref('int_order_totals') }}

),

payments as (

    select * from {{ ref('int_order_payments') }}

),

stores as (

    select * from {{ ref('stg_stores') }}

)

select
    orders.order_id,
    orders.customer_id,
    stores.store_name,
    orders.ordered_at,
    orders.order_date,
    orders.status,
    orders.counts_as_revenue,
    totals.item_count,
    totals.currency,
    totals.amount,
    totals.amount_eur,
    coalesce(payments.paid_amount, 0) as paid_amount,
    {% for method in var('payment_methods') -%}
    coalesce(payments.{{ method }}_amount, 0) as {{ method }}_amount,
    {% endfor -%}
    coalesce(payments.was_refunded, false) as was_refunded,
    row_number() over (partition by orders.customer_id order by orders.ordered_at) as customer_order_number

from orders
inner join totals on orders.order_id = totals.order_id
inner join stores on orders.store_id = stores.store_id
left join payments on orders.order_id = payments.order_id

{% if is_incremental() -%}
-- An order changes for two weeks at most: after that it can no longer be returned.
qualify orders.order_date >= (select max(order_date) from {{ this }}) - interval 14 day
{%- endif %}
