// Opens a session from the folder that a session setting made, and kills itself at the named step, as a power cut does.

import { readFileSync } from 'node:fs';
import { openSession } from '../../../src/agent/session.ts';
import { quickLimits } from './enrolled.ts';

const [, , folder = '', gatewayUrl = '', fatalStep = ''] = process.argv;
const logger = { info() {}, warn() {} };
const session = await openSession(
  {
    gatewayUrl,
    token: { file: `${folder}/token` },
    gatewayCa: readFileSync(`${folder}/gateway.pem`, 'utf8'),
    dangerouslyAllowPlainGateway: false,
    stateDirectory: `${folder}/state`,
    systemCaPath: `${folder}/system.pem`,
    relayPort: 0,
    dangerouslyAllowUnhardened: false,
    environment: process.env,
    scrubEnvironment: false,
    baseEnvironment: {},
    limits: quickLimits,
    logger,
  },
  (step) => {
    if (step === fatalStep) process.kill(process.pid, 'SIGKILL');
  },
);
console.log(session.id);
await session.close();
