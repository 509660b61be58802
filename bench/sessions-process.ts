// Many sessions in one process, as many agents would have them: one line of JSON on its input for each, one on its output when it stands.

import { createInterface } from 'node:readline';

import { initUpstreamProxy } from '../src/index.ts';
import { silentLogger } from '../src/system/logger.ts';

export interface SessionRequest {
  readonly gatewayUrl: string;
  readonly gatewayCa: string;
  readonly tokenFile: string;
  readonly stateDirectory: string;
}

// Each session of the process listens to its signals.
process.setMaxListeners(0);
for await (const line of createInterface({ input: process.stdin })) {
  // The parent writes nothing else.
  const request = JSON.parse(line) as SessionRequest;
  let said = 'stands';
  try {
    // A small bundle: the trust stores of so many containers would be felt on one machine.
    await initUpstreamProxy({
      ...request,
      systemCaPath: request.gatewayCa,
      environment: {},
      onFailure: 'throw',
      dangerouslyAllowUnhardened: true,
      logger: silentLogger,
    });
  } catch (error) {
    said = String(error);
  }
  process.stdout.write(`${JSON.stringify(said)}\n`);
}
process.exit(0);
