// All commands, in the order in which people meet them. Loaded by what shows or compares them, never by a command that runs.

import type { Definition } from '../definition/command-definition.ts';
import { accessDefinition } from './access-definition.ts';
import { agentDefinition } from './agent-definition.ts';
import { auditDefinition } from './audit-definition.ts';
import { caDefinition } from './ca-definition.ts';
import { cacheDefinition } from './cache-definition.ts';
import { catalogDefinition } from './catalog-definition.ts';
import { cleanupDefinition } from './cleanup-definition.ts';
import { completionDefinition } from './completion-definition.ts';
import { connectDefinition } from './connect-definition.ts';
import { contextDefinition } from './context-definition.ts';
import { docsDefinition } from './docs-definition.ts';
import { doctorDefinition } from './doctor-definition.ts';
import { envDefinition } from './env-definition.ts';
import { explainDefinition } from './explain-definition.ts';
import { gatewayDefinition } from './gateway-definition.ts';
import { identityDefinition } from './identity-definition.ts';
import { initDefinition } from './init-definition.ts';
import {
  embeddedGatewayDefinition,
  gitSignDefinition,
  jailHelperDefinition,
  pkcs11SignDefinition,
  signerDefinition,
  workerDefinition,
} from './inner-definitions.ts';
import { jobDefinition, jobSessionDefinition } from './job-definition.ts';
import { credentialDefinition } from './credential-definition.ts';
import { keysDefinition } from './keys-definition.ts';
import { loginDefinition } from './login-definition.ts';
import { operatorDefinition } from './operator-definition.ts';
import { packagesDefinition } from './packages-definition.ts';
import { policyDefinition } from './policy-definition.ts';
import { runDefinition } from './run-definition.ts';
import { sessionDefinition } from './session-definition.ts';
import { storeDefinition } from './store-definition.ts';
import { tokenDefinition } from './token-definition.ts';
import { upgradeDefinition } from './upgrade-definition.ts';

export const definitions: readonly Definition[] = [
  runDefinition,
  agentDefinition,
  jobDefinition,
  initDefinition,
  gatewayDefinition,
  tokenDefinition,
  envDefinition,
  doctorDefinition,
  connectDefinition,
  cleanupDefinition,
  caDefinition,
  credentialDefinition,
  keysDefinition,
  identityDefinition,
  auditDefinition,
  sessionDefinition,
  accessDefinition,
  operatorDefinition,
  loginDefinition,
  contextDefinition,
  storeDefinition,
  policyDefinition,
  packagesDefinition,
  catalogDefinition,
  cacheDefinition,
  upgradeDefinition,
  explainDefinition,
  docsDefinition,
  completionDefinition,
  embeddedGatewayDefinition,
  jobSessionDefinition,
  jailHelperDefinition,
  gitSignDefinition,
  workerDefinition,
  signerDefinition,
  pkcs11SignDefinition,
];
