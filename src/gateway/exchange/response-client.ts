// The part of the client's side that a response is sent by.

import type { ClientExchange } from './client-exchange.ts';

export type ResponseClient = Pick<
  ClientExchange,
  'signal' | 'sendInformation' | 'sendHead' | 'sendData' | 'onDrain' | 'sendEnd'
>;
