// A client's connection as a front gets it.

import type { ProxyError } from '../../protocol/error.ts';
import type { ExchangeScene } from '../exchange/exchange-scene.ts';

export interface FrontConnection {
  readonly scene: ExchangeScene;
  /** Ends the client's connection as a reset. */
  readonly abort: (error: ProxyError) => void;
}
