// Loaded before a command that plays tests by itself (package.json): where TLS of clients ends is told to it as to `npm test`, so that it
// runs in both modes.

import { programTlsEnd, tlsEndName } from './test-environment.ts';

const end = process.env[tlsEndName];
if (end !== undefined) process.env[programTlsEnd] = end;
