// `npm run build:python-sdk`: writes the generated part of the Python client anew. A test says when that is due.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type OpenApiDocument, pythonOperations } from './python/python-operations.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
// Written by our own test, of this form.
const document = JSON.parse(readFileSync(join(root, 'schema/admin.openapi.json'), 'utf8')) as OpenApiDocument;
writeFileSync(join(root, 'sdk/python/src/upstreamproxy_admin/operations.py'), pythonOperations(document));
