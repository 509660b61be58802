// Asks the gateway, by way of the relay of this container, to sign a commit or a tag.

import { buffer } from 'node:stream/consumers';
import { asProxyError, ProxyError } from '../../protocol/error.ts';
import { knownErrorCode } from '../../protocol/error-table.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import { printable } from '../../protocol/printable.ts';
import { http } from '../../system/http-module.ts';

export interface SigningRequest {
  readonly relay: { readonly host: string; readonly port: number } | { readonly socketPath: string };
  readonly namespace: string;
  readonly object: Uint8Array;
}

/** The gateway itself, which nothing is dialled for. */
const gatewayHost = 'upstreamproxy.invalid';

/** The signature as PEM. @throws ProxyError why the gateway gives none, gateway_unreachable, timeout, gateway_protocol */
export async function signThroughRelay({ relay, namespace, object }: SigningRequest): Promise<string> {
  const { gitSignTimeoutMs: timeoutMs, agentBodyBytesMax: bytesMax } = defaultLimits;
  const signal = AbortSignal.timeout(timeoutMs);
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const asked = http.request({
    ...relay,
    method: 'POST',
    path: `http://${gatewayHost}/sign?namespace=${encodeURIComponent(namespace)}`,
    headers: {
      Host: gatewayHost,
      Accept: 'text/plain, application/problem+json',
      'Content-Type': 'application/octet-stream',
      'Content-Length': String(object.length),
      Connection: 'close',
    },
    signal,
  });
  asked.once('error', reject);
  asked.once('response', (response) => {
    let octets = 0;
    response.on('data', (chunk: Buffer) => {
      octets += chunk.length;
      if (octets > bytesMax) asked.destroy(new Error('the response is too long'));
    });
    buffer(response).then(
      (body) => {
        const text = body.toString('utf8');
        if (response.statusCode === 200 && isSignature(text)) resolve(text);
        else reject(refusalOf(response.statusCode ?? 0, text));
      },
      (error: unknown) => reject(asProxyError(error, 'gateway_protocol')),
    );
  });
  asked.end(object);
  try {
    return await promise;
  } catch (error) {
    if (error instanceof ProxyError) throw error;
    if (signal.aborted)
      throw new ProxyError('timeout', `the gateway did not sign within ${timeoutMs} ms (gitSignTimeoutMs)`);
    throw new ProxyError(
      'gateway_unreachable',
      `the relay cannot be asked to sign: ${asProxyError(error).message}`,
    );
  }
}

function isSignature(text: string): boolean {
  const [first, ...lines] = text.trimEnd().split('\n');
  const isWhole = first === '-----BEGIN SSH SIGNATURE-----' && lines.pop() === '-----END SSH SIGNATURE-----';
  return isWhole && lines.every((line) => /^[A-Za-z0-9+/=]{1,76}$/.test(line));
}

/** As the gateway, or the relay, says it. */
function refusalOf(status: number, text: string): ProxyError {
  const problem = problemIn(text);
  const code = knownErrorCode(problem?.['code']) ?? 'gateway_protocol';
  const [detail, trace] = [problem?.['detail'], problem?.['trace_id']];
  if (typeof detail !== 'string')
    return new ProxyError(code, `the gateway signed nothing: status ${status}, and no reason`);
  return new ProxyError(
    code,
    `${printable(detail)}${typeof trace === 'string' ? ` (trace ${printable(trace)})` : ''}`,
  );
}

function problemIn(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    // An object of JSON has these.
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
