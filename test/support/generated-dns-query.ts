// Messages of DNS as a fuzz target sends them: a question of a random name and type, with some octets changed, cut or added.

import { pick, type Random } from '../../fuzz/run-target.ts';
import { dnsQuery } from '../agent/capture/support/dns-client.ts';

const types = [1, 12, 16, 28, 41, 64, 65, 252, 255, 0];

/** As latin1 text. @param names to ask for */
export function generatedDnsQuery(random: Random, names: readonly string[]): string {
  const query = dnsQuery(pick(random, names), types[random(types.length)] ?? 1, {
    id: random(0x10000),
    class: random(5) === 0 ? random(0x10000) : 1,
    ...(random(2) === 0 ? { edns: random(3) === 0 ? 1 : 0 } : {}),
  });
  const bytes = [...query];
  for (let edits = random(4); edits > 0; edits--) {
    const at = random(bytes.length);
    if (random(3) === 0) bytes.splice(at, random(3), ...Array.from({ length: random(3) }, () => random(256)));
    else bytes[at] = random(256);
  }
  return Buffer.from(bytes).toString('latin1');
}
