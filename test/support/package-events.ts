// Events of one session that got packages, was not told of some, and was refused one.

import { Buffer } from 'node:buffer';
import type { AuditEvent } from '../../src/api/audit-event.ts';

export const checkedDigest = `sha512-${Buffer.alloc(64, 'a').toString('base64')}`;

const at = (seconds: number): string => new Date(Date.UTC(2030, 0, 1, 0, 0, seconds)).toISOString();

function packageEvent(seconds: number, changes: Partial<AuditEvent>): AuditEvent {
  return {
    id: `event-${String(seconds).padStart(4, '0')}`,
    time: at(seconds),
    kind: 'exchange',
    verdict: 'allow',
    sessionId: 's',
    principal: 'p',
    traceId: String(seconds).padStart(32, '0'),
    method: 'GET',
    scheme: 'https',
    host: 'npm.test',
    port: 443,
    status: 200,
    rule: 'npm',
    ...changes,
  } as AuditEvent;
}

const npm = (name: string, more: object = {}) => ({ package: { registry: 'npm', name, ...more } });
const app = npm('@acme/app', {
  version: '1.0.0',
  isArchive: true,
  published: '2029-12-01T00:00:00.000Z',
  digest: checkedDigest,
});
const young = npm('lodash', { version: '5.0.1', isArchive: true });

export const billEvents: readonly AuditEvent[] = [
  packageEvent(0, { ...npm('lodash'), details: { hidden: 2, hiddenVersions: ['5.0.0'] } }),
  packageEvent(1, { ...npm('lodash'), details: { hidden: 3, hiddenVersions: ['5.0.0', '5.0.1'] } }),
  packageEvent(2, app),
  packageEvent(3, app),
  packageEvent(4, npm('lodash', { version: '4.17.21', isArchive: true, installScripts: 'yes' })),
  packageEvent(5, { ...young, verdict: 'deny', status: 403, message: 'The rule npm waits.' }),
  packageEvent(6, { ...young, verdict: 'deny', status: 403, message: 'The rule npm waits.', count: 2 }),
  // What is no package of the bill.
  packageEvent(7, { ...npm('other', { version: '1.0.0', isArchive: true }), status: 404 }),
  packageEvent(8, { host: 'api.test' }),
];
