// The store of a gateway as an operator's command opens it.

import { openConfiguredStore, type StoreSettings } from '../../gateway/config/store-settings.ts';
import type { Store } from '../../store/store.ts';
import { workloadEnvironment } from '../terminal/workload-environment.ts';

/** For a command that writes nothing: a role that may only read will do, and nothing is migrated in a database. */
export function openStoreToRead(config: StoreSettings): Promise<Store> {
  return openConfiguredStore(config, workloadEnvironment(process.env), { isReader: true });
}

export function openStoreToWrite(config: StoreSettings): Promise<Store> {
  return openConfiguredStore(config, workloadEnvironment(process.env), { isOperator: true });
}
