select
    date_trunc('week', session_date)::date as week,
    count(*) as sessions,
    count(customer_id) as signed_in_sessions,
    count(*) filter (where has_ordered) as sessions_with_order,
    avg(page_count) as pages_per_session,
    count(*) filter (where has_ordered) / count(*) as conversion_rate

from {{ ref('stg_web_sessions') }}
group by week
