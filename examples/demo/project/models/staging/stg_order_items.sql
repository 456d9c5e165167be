with items as (

    select * from {{ ref('raw_order_items') }}

),

orders as (

    select
        order_id,
        store_id
    from {{ ref('stg_orders') }}

),

stores as (

    select
        store_id,
        currency
    from {{ ref('stg_stores') }}

)

select
    items.id as order_item_id,
    items.order_id,
    items.sku,
    items.quantity,
    stores.currency,
    {{ money.from_minor_units('items.unit_price_minor', 'stores.currency') }} as unit_price

from items
inner join orders on items.order_id = orders.order_id
inner join stores on orders.store_id = stores.store_id
