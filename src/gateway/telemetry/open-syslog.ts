// Events of the audit to a receiver of syslog over TLS.

import { readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import type { Dialer } from '../../net/dialer.ts';
import { checkCertificates } from '../../pki/pem.ts';
import type { SyslogSettings } from '../config/telemetry-settings.ts';
import { type ClientCertificateNeeds, clientOf } from '../credentials/sources/client-certificate.ts';
import type { EventTaker } from './event-tap.ts';
import { SyslogConnection } from './syslog-connection.ts';
import { openQueue, type TelemetryNeeds } from './telemetry-needs.ts';

/** Gives who takes events. @throws ProxyError config_invalid */
export async function openSyslog(
  settings: SyslogSettings,
  needs: TelemetryNeeds & ClientCertificateNeeds & { readonly dialer: Dialer },
): Promise<EventTaker> {
  const { host, port, facility, structuredDataId } = settings;
  const texts = await Promise.all(settings.ca.map((path) => readFile(path, 'utf8')));
  const connection = new SyslogConnection({
    dialer: needs.dialer,
    host,
    port,
    ca: texts.flatMap(checkCertificates),
    ...clientOf('telemetry.syslog.clientCertificate', settings, needs),
    sender: {
      facility,
      hostname: settings.hostname ?? hostname(),
      processId: process.pid,
      structuredDataId,
    },
  });
  // Ends behind the queue, which hands over what is left.
  needs.stack.use(connection);
  const queue = openQueue('syslog', needs, (batch, signal) => connection.deliver(batch, signal));
  return (_event, json) => {
    queue.offer(json);
  };
}
