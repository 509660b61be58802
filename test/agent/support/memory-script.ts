// Opens a session and counts the copies of the token in this process's memory, with a control that must be found.

import { readFileSync } from 'node:fs';
import { openSession } from '../../../src/agent/session.ts';
import { quickLimits } from './enrolled.ts';
import { MemoryScan } from './memory-scan.ts';

const [, , folder = '', gatewayUrl = '', how = ''] = process.argv;
const scan = openScan();
// The token with each byte inverted: reading the token here would make a copy.
const flipped = readFileSync(`${folder}/flipped`);

const session = await openSession({
  gatewayUrl,
  token: how === 'fd' ? { fd: 3 } : { file: `${folder}/token` },
  gatewayCa: readFileSync(`${folder}/gateway.pem`, 'utf8'),
  dangerouslyAllowPlainGateway: false,
  stateDirectory: `${folder}/state`,
  relayPort: 0,
  dangerouslyAllowUnhardened: false,
  environment: {},
  scrubEnvironment: false,
  baseEnvironment: {},
  limits: quickLimits,
  logger: { info() {}, warn() {} },
});
for (let i = 0; i < 3; i++) {
  collectGarbage();
  await new Promise((resolve) => setTimeout(resolve, 20));
}
const copies = scan.count(flipped);
const control = Buffer.from(flipped.map((byte) => byte ^ 0xff));
const withControl = scan.count(flipped);
// As a string too: that is how a header would hold it.
const text = control.toString('latin1');
control.fill(0);
const withString = scan.count(flipped);
console.log(JSON.stringify({ copies, withControl, withString, length: text.length }));
await session.close();
process.exit(0);

function openScan(): MemoryScan {
  try {
    return new MemoryScan();
  } catch (error) {
    console.log(JSON.stringify({ refused: String(error) }));
    process.exit(0);
  }
}

function collectGarbage(): void {
  // `gc` exists under `node --expose-gc`, `Bun.gc` under Bun.
  const runtime = globalThis as { readonly gc?: () => void; readonly Bun?: { gc(force: boolean): void } };
  if (runtime.Bun !== undefined) runtime.Bun.gc(true);
  else runtime.gc?.();
}
