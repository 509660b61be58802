// Dials the gateway of the first argument with the CA file of the second and prints `connected` or the error's code.

import { readFileSync } from 'node:fs';
import { dialGateway, openGateway } from '../../../src/agent/uplink/gateway-connection.ts';
import type { ProxyError } from '../../../src/protocol/error.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';

const [, , url = '', caPath = ''] = process.argv;
try {
  const gateway = openGateway(url, { ca: readFileSync(caPath, 'utf8') });
  (await dialGateway(gateway, defaultLimits)).destroy();
  console.log('connected');
} catch (error) {
  console.log((error as ProxyError).code);
}
