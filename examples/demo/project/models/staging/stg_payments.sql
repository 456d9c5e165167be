with payments as (

    select * from {{ ref('raw_payments') }}

),

orders as (

    select
        orders.order_id,
        stores.currency
    from {{ ref('stg_orders') }} as orders
    inner join {{ ref('stg_stores') }} as stores on orders.store_id = stores.store_id

)

select
    payments.id as payment_id,
    payments.order_id,
    payments.method as payment_method,
    payments.status as payment_status,
    payments.paid_at,
    orders.currency,
    {{ money.from_minor_units('payments.amount_minor', 'orders.currency') }} as amount

from payments
inner join orders on payments.order_id = orders.order_id
