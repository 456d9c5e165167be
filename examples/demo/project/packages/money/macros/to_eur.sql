{#- An amount in euros, rounded to cents. `rate` is euros per unit of the currency. -#}
{% macro to_eur(amount, rate) -%}
    round({{ amount }} * {{ rate }}, 2)::decimal(18, 2)
{%- endmacro %}
