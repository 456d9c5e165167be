select
    session_id,
    customer_id,
    order_id,
    started_at,
    started_at::date as session_date,
    pages as page_count,
    order_id is not null as has_ordered

from {{ source('web', 'web_sessions') }}
