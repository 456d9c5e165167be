-- One row per store and day, also for days without an order: a chart must not hide a quiet day.
with orders as (

    select * from {{ ref('fct_orders') }}

),

days as (

    select unnest(generate_series(min(order_date), max(order_date), interval 1 day))::date as tag
    from orders

),

stores as (

    select store_name
    from {{ ref('stg_stores') }}

),

revenue as (

    select
        order_date,
        store_name,
        count(*) as bestellungen,
        sum(amount_eur) as umsatz_eur
    from orders
    where counts_as_revenue
    group by order_date, store_name

)

select
    days.tag,
    stores.store_name as filiale,
    coalesce(revenue.bestellungen, 0) as bestellungen,
    coalesce(revenue.umsatz_eur, 0) as umsatz_eur,
    avg(coalesce(revenue.umsatz_eur, 0)) over (
        partition by stores.store_name
        order by days.tag
        rows between 6 preceding and current row
    ) as umsatz_eur_7_tage

from days
cross join stores
left join revenue
    on
        days.tag = revenue.order_date
        and stores.store_name = revenue.store_name
