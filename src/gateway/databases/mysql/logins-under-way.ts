// Log-ins at servers that have begun. They go on when their client has left, since servers shut out who breaks off too many, so that they
// are bounded by themselves.

import { ProxyError } from '../../../protocol/error.ts';
import type { EndedConnection } from '../protocol-end.ts';

export class LoginsUnderWay {
  readonly #counts = new Map<string, number>();

  get size(): number {
    return this.#counts.size;
  }

  /** One more, until it is disposed of. @throws ProxyError limit_exceeded */
  begin({ ownerId, limits }: Pick<EndedConnection, 'ownerId' | 'limits'>): Disposable {
    const { databaseLoginsPerSessionMax: most } = limits;
    const count = this.#counts.get(ownerId) ?? 0;
    if (count >= most)
      throw new ProxyError(
        'limit_exceeded',
        `${String(most)} log-ins of the session are under way at servers of databases (databaseLoginsPerSessionMax)`,
        { limit: 'databaseLoginsPerSessionMax' },
      );
    this.#counts.set(ownerId, count + 1);
    return {
      [Symbol.dispose]: () => {
        const left = (this.#counts.get(ownerId) ?? 1) - 1;
        if (left === 0) this.#counts.delete(ownerId);
        else this.#counts.set(ownerId, left);
      },
    };
  }
}
