// Loaded before the tests of what reads sockets: octets that are kept beyond the call that brought them are seen to be wrong.

import { overwriteReads } from '../../src/net/shared-reads.ts';

overwriteReads();
