with orders as (

    select * from {{ ref('stg_orders') }}

),

lines as (

    select
        order_id,
        currency,
        sum(quantity) as item_count,
        sum(quantity * unit_price) as amount
    from {{ ref('stg_order_items') }}
    group by order_id, currency

),

rates as (

    select * from {{ ref('stg_exchange_rates') }}

)

select
    orders.order_id,
    lines.currency,
    lines.item_count,
    lines.amount,
    rates.eur_per_unit,
    {{ money.to_eur('lines.amount', 'rates.eur_per_unit') }} as amount_eur

from orders
inner join lines on orders.order_id = lines.order_id
inner join rates
    on
        lines.currency = rates.currency
        and orders.order_date >= rates.valid_from
        and orders.order_date < rates.valid_before
