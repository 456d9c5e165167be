-- Everything but a cancelled order is paid in full, and to the cent.
select
    order_id,
    amount,
    paid_amount
from {{ ref('fct_orders') }}
where status != 'cancelled' and amount != paid_amount
