with products as (

    select * from {{ ref('stg_products') }}

),

sales as (

    select
        items.sku,
        sum(items.quantity) as units_sold,
        sum({{ money.to_eur('items.quantity * items.unit_price', 'totals.eur_per_unit') }}) as revenue_eur
    from {{ ref('stg_order_items') }} as items
    inner join {{ ref('stg_orders') }} as orders on items.order_id = orders.order_id
    inner join {{ ref('int_order_totals') }} as totals on items.order_id = totals.order_id
    where orders.counts_as_revenue
    group by items.sku

)

select
    products.sku,
    products.product_name,
    products.category,
    products.list_price_eur,
    products.cost_eur,
    coalesce(sales.units_sold, 0) as units_sold,
    coalesce(sales.revenue_eur, 0) as revenue_eur,
    coalesce(sales.revenue_eur - sales.units_sold * products.cost_eur, 0) as margin_eur

from products
left join sales on products.sku = sales.sku
