// A client's connection as a front gets it.

import type { ParsedRequest } from '../../http/request-parser.ts';
import type { ProxyError } from '../../protocol/error.ts';
import type { ExchangeScene } from '../exchange/exchange-scene.ts';

export interface FrontConnection {
  readonly scene: ExchangeScene;
  /** Ends the client's connection as a reset. */
  readonly abort: (error: ProxyError) => void;
  /** A request has begun: what becomes of the connection from now on is told by its exchanges. */
  readonly onAsked?: () => void;
  /** Why the connection does not serve a request, where each has to show whose it is. */
  readonly refusalOf?:
    | ((request: Pick<ParsedRequest, 'target' | 'raw'>) => ProxyError | undefined)
    | undefined;
}
