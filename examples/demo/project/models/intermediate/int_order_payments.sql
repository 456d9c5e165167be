{%- set methods = var('payment_methods') -%}

select
    order_id,
    {% for method in methods -%}
    sum(case when payment_method = '{{ method }}' then amount else 0 end) as {{ method }}_amount,
    {% endfor -%}
    sum(amount) as paid_amount,
    bool_or(payment_status = 'refunded') as was_refunded

from {{ ref('stg_payments') }}
group by order_id
