/** A database of places in MaxMind's format that knows one network: enough to see that it is asked. */

const NODES = 8;
const SEPARATOR = Buffer.alloc(16);

/** All addresses whose first octet is `octet` are in `city`, `country`. */
export function database(octet, country, city) {
  const tree = [];
  for (let bit = 0; bit < NODES; bit++) {
    // The network's side leads on, and at last into the data; the other side knows nothing.
    const next = bit + 1 === NODES ? NODES + SEPARATOR.length : bit + 1;
    const sides = ((octet >> (7 - bit)) & 1) === 0 ? [next, NODES] : [NODES, next];
    for (const side of sides) tree.push(side >> 16, (side >> 8) & 255, side & 255);
  }
  const place = map({ country: map({ iso_code: text(country) }), city: map({ names: map({ en: text(city) }) }) });
  const about = map({
    binary_format_major_version: uint(5, 2),
    binary_format_minor_version: uint(5, 0),
    // A number of 64 bits, which is a type beyond the first seven.
    build_epoch: Buffer.from([0x01, 0x02, 0x01]),
    database_type: text('Test-City'),
    description: map({}),
    ip_version: uint(5, 4),
    languages: Buffer.concat([Buffer.from([0x01, 0x04]), text('en')]),
    node_count: uint(6, NODES),
    record_size: uint(5, 24),
  });
  const mark = Buffer.from('\xab\xcd\xefMaxMind.com', 'latin1');
  return Buffer.concat([Buffer.from(tree), SEPARATOR, place, mark, about]);
}

const text = (value) => Buffer.concat([Buffer.from([(2 << 5) | value.length]), Buffer.from(value)]);
const uint = (kind, value) => Buffer.from([(kind << 5) | 1, value]);
const map = (members) =>
  Buffer.concat([
    Buffer.from([(7 << 5) | Object.keys(members).length]),
    ...Object.entries(members).flatMap(([key, value]) => [text(key), value]),
  ]);
