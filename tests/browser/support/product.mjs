/** A product small enough to know every number of it. */

const MINUTE_MS = 60_000;

/** Eight visitors come, six sign up, three of them upgrade; all within the last hours, each known at first only by a device. */
export function eightVisitors(now) {
  const events = [];
  const start = now - 90 * MINUTE_MS;
  for (let i = 0; i < 8; i++) {
    const device_id = `browser-test-device-${i}`;
    const user_id = `visitor-${i}`;
    const at = (minutes) => new Date(start + (i + minutes) * MINUTE_MS).toISOString();
    const platform = i % 2 === 0 ? 'web' : 'ios';
    events.push({ event: 'Page Viewed', time: at(0), device_id, insert_id: `v${i}`, properties: { page: '/', platform } });
    if (i >= 6) continue;
    events.push({
      event: 'Signed Up',
      time: at(5),
      device_id,
      user_id,
      insert_id: `s${i}`,
      properties: { platform, method: 'email' },
      user_properties: { plan: 'free', email: `${user_id}@example.com` },
    });
    if (i >= 3) continue;
    events.push({
      event: 'Upgraded',
      time: at(25),
      device_id,
      user_id,
      insert_id: `u${i}`,
      properties: { platform, price: 10 + i },
      user_properties: { plan: 'pro' },
    });
  }
  return events;
}
