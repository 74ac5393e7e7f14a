"""What every journey has in common, whatever the SDK: visits in two sessions, and orders. `node/journey.mjs` says the same."""

import datetime

BEGIN = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0) - datetime.timedelta(days=3)
# By their ids these are two sessions; by their pauses (30 minutes) they would be three.
VISITS = [(BEGIN + datetime.timedelta(minutes=m), BEGIN + datetime.timedelta(minutes=s)) for m, s in [(0, 0), (60, 0), (120, 0), (125, 125)]]
ORDERS = [(12.5, 1), (10.0, 3)]
REVENUE = 42.5


def ms(time):
    return int(time.timestamp() * 1000)


def check_visits_and_orders(server, sessions=2):
    assert server.total("visit") == len(VISITS)
    assert server.total("visit", "sessions") == sessions
    assert server.total("*", "sum", property="revenue") == REVENUE
