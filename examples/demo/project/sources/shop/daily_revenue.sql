select
    tag as day,
    filiale as store,
    bestellungen as orders,
    umsatz_eur as revenue_eur,
    umsatz_eur_7_tage as revenue_eur_7_days
from marts."umsätze_täglich"
