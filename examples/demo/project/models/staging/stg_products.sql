select
    sku,
    name as product_name,
    category,
    {{ money.from_minor_units('list_price_eur_cents', "'EUR'") }} as list_price_eur,
    {{ money.from_minor_units('cost_eur_cents', "'EUR'") }} as cost_eur

from {{ ref('raw_products') }}
