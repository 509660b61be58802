// Every client that the doctor knows.

import type { ClientRow } from './client-row.ts';
import { languageClients } from './language-clients.ts';
import { networkClients } from './network-clients.ts';
import { systemClients } from './system-clients.ts';

export const clientTable: readonly ClientRow[] = [...networkClients, ...languageClients, ...systemClients];
