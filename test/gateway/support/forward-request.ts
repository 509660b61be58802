// A request for forwarders, of which only host and signal matter, and a receiver that takes everything.

import type { ForwardRequest, ResponseReceiver } from '../../../src/gateway/forward/forwarder.ts';
import { HeaderList } from '../../../src/http/header-list.ts';

export function forwardRequestTo(host: string, signal: AbortSignal): ForwardRequest {
  return {
    head: {
      method: 'GET',
      destination: { scheme: 'https', host, port: 443 },
      path: '/ws',
      query: '',
      headers: new HeaderList(),
      httpVersion: '1.1',
    },
    body: undefined,
    bodyLength: undefined,
    acceptsTrailers: false,
    principalId: 'p',
    sessionId: 's',
    credentials: [],
    addresses: [],
    signal,
  };
}

export const anyReceiver: ResponseReceiver = {
  onInformation: () => undefined,
  onHead: () => undefined,
  onData: () => true,
  onTrailers: () => undefined,
};
