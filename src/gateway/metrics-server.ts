// `GET /metrics` on a port of its own, so that it is never on the public one.

import { defaultLimits } from '../protocol/limits.ts';
import type { ServerResponse } from 'node:http';
import { once } from 'node:events';
import { ProxyError, asProxyError } from '../protocol/error.ts';
import { http } from '../system/http-module.ts';
import { metricsFormat, type MetricsFormat, metricsTypes } from './metrics-text.ts';

export interface MetricsServerOptions {
  readonly address: string;
  readonly port: number;
  /** Of a socket that listens there already. */
  readonly descriptor?: number | undefined;
  readonly text: (format: MetricsFormat) => string | Promise<string>;
}

/** Listens at once. Gives where: a name that was configured has an address now. @throws ProxyError gateway_port_unusable */
export async function listenMetrics(
  options: MetricsServerOptions,
): Promise<{ readonly address: string; readonly port: number } & AsyncDisposable> {
  const { address, port, descriptor, text } = options;
  const server = http.createServer({
    requestTimeout: defaultLimits.metricsRequestTimeoutMs,
    headersTimeout: defaultLimits.metricsRequestTimeoutMs,
    keepAliveTimeout: 1_000,
  });
  server.on('request', (request, response) => {
    if (request.method !== 'GET' || request.url !== '/metrics') {
      response.writeHead(404, { 'content-length': 0 }).end();
      return;
    }
    void respond(response, text, metricsFormat(request.headers.accept));
  });
  server.listen(descriptor === undefined ? { host: address, port } : { fd: descriptor });
  try {
    await once(server, 'listening');
  } catch (error) {
    const reason = asProxyError(error).message;
    throw new ProxyError(
      'gateway_port_unusable',
      `metrics cannot be served on ${address}:${port}: ${reason}`,
      { cause: error },
    );
  }
  const at = server.address();
  return {
    ...(typeof at === 'object' && at !== null ? { address: at.address, port: at.port } : { address, port }),
    [Symbol.asyncDispose]: async () => {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

async function respond(
  response: ServerResponse,
  text: MetricsServerOptions['text'],
  format: MetricsFormat,
): Promise<void> {
  const body = await text(format);
  response
    .writeHead(200, {
      'content-type': metricsTypes[format],
      'content-length': Buffer.byteLength(body),
    })
    .end(body);
}
