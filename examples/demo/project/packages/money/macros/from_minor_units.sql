{#- An amount in the smallest unit of its currency, as a decimal of the currency. The yen has no smaller unit. -#}
{% macro from_minor_units(amount, currency) -%}
    (cast({{ amount }} as decimal(18, 2)) / case when {{ currency }} = 'JPY' then 1 else 100 end)::decimal(18, 2)
{%- endmacro %}
