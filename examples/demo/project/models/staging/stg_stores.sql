select
    id as store_id,
    city as store_name,
    country,
    currency

from {{ ref('raw_stores') }}
