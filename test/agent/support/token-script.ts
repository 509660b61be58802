// Reads a token from descriptor 3 with small limits and prints what came of it. Exits by process.exit, as the agent does.

import { readTokenDescriptor } from '../../../src/agent/uplink/token.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import type { ProxyError } from '../../../src/protocol/error.ts';

try {
  const token = await readTokenDescriptor(3, { ...defaultLimits, tokenBytesMax: 64, enrolTimeoutMs: 300 });
  console.log(JSON.stringify({ token: token.bytes.toString('latin1') }));
} catch (error) {
  console.log(JSON.stringify({ code: (error as ProxyError).code }));
}
process.exit(0);
