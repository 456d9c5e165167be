select
    currency,
    eur_per_unit,
    valid_from,
    coalesce(
        lead(valid_from) over (partition by currency order by valid_from),
        date '9999-12-31'
    ) as valid_before

from {{ ref('exchange_rates') }}
