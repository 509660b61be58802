// Messages of clients of SSH to the gateway, each as a request to it on the tunnel of the session.

import { ResponseReader } from '../../http/response-reader.ts';
import { asProxyError, ProxyError } from '../../protocol/error.ts';
import { knownErrorCode } from '../../protocol/error-table.ts';
import { identityHost } from '../../protocol/identity-address.ts';
import { defaultLimits, type Limits } from '../../protocol/limits.ts';
import { printable } from '../../protocol/printable.ts';
import { agentFrame, AgentMessages, sshAgentPath } from '../../protocol/ssh-agent.ts';
import type { RelayStream } from './join.ts';
import type { RelayTunnel } from './relay-connection.ts';

/** What the gateway responds, as one message. @throws ProxyError why it refuses, tunnel_lost, timeout, gateway_protocol */
export async function askSshAgent(
  tunnel: RelayTunnel,
  octets: Uint8Array,
  limits: Limits,
): Promise<Uint8Array> {
  if (!tunnel.isUp) await tunnel.whenUp();
  const stream = await tunnel.openStream({ authority: '', mode: 'proxy' });
  const { gitSignTimeoutMs: timeoutMs } = defaultLimits;
  const timer = setTimeout(() => {
    stream.destroy(
      new ProxyError('timeout', `the gateway did not sign within ${timeoutMs} ms (gitSignTimeoutMs)`),
    );
  }, timeoutMs);
  try {
    const head = [
      `POST http://${identityHost}${sshAgentPath} HTTP/1.1`,
      `Host: ${identityHost}`,
      'Accept: text/plain, application/problem+json',
      'Content-Type: application/octet-stream',
      `Content-Length: ${octets.length}`,
      'Connection: close',
    ];
    stream.write(Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`, 'latin1'), octets]));
    return await readResponse(stream, limits);
  } finally {
    clearTimeout(timer);
    stream.destroy();
  }
}

async function readResponse(stream: RelayStream, limits: Limits): Promise<Uint8Array> {
  const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
  const reader = new ResponseReader({
    request: { method: 'POST', asksToSwitch: false },
    limits,
    bodyBytesMax: defaultLimits.agentBodyBytesMax,
    fault: (reason) =>
      new ProxyError('gateway_protocol', `the response of the gateway is not acceptable: ${reason}`),
  });
  stream.on('data', (chunk: Buffer) => {
    try {
      reader.push(chunk);
      const { response } = reader;
      if (response !== undefined) resolve(messageOf(response.status, Buffer.from(response.body).toString()));
    } catch (error) {
      reject(asProxyError(error, 'gateway_protocol'));
    }
  });
  const lost = (): void => reject(new ProxyError('tunnel_lost', 'the tunnel broke before the response'));
  stream.on('error', (error) => reject(asProxyError(error, 'tunnel_lost')));
  stream.once('end', lost).once('close', lost);
  return await promise;
}

/** One message, with its length. @throws ProxyError of a refusal, gateway_protocol */
function messageOf(status: number, text: string): Uint8Array {
  if (status !== 200) throw refusalOf(status, text);
  const base64 = text.trimEnd();
  const messages = new AgentMessages();
  const read = /^[A-Za-z0-9+/]+={0,2}$/.test(base64) ? messages.push(Buffer.from(base64, 'base64')) : [];
  const [message, ...more] = read;
  if (message === undefined || more.length > 0 || messages.isWithin)
    throw new ProxyError('gateway_protocol', 'the response of the gateway is no message of an agent of SSH');
  return agentFrame(message);
}

function refusalOf(status: number, text: string): ProxyError {
  let problem: unknown;
  try {
    problem = JSON.parse(text);
  } catch {
    problem = undefined;
  }
  // An object of JSON has these.
  const { code, detail } = (typeof problem === 'object' && problem !== null ? problem : {}) as Record<
    string,
    unknown
  >;
  return new ProxyError(
    knownErrorCode(code) ?? 'gateway_protocol',
    typeof detail === 'string' ? printable(detail) : `status ${status}, and no reason`,
  );
}
