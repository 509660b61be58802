// The OpenAPI 3.1 document of the admin API, made from the table of its operations.

import { z } from 'zod';
import { problemType } from '../../protocol/problem-document.ts';
import type { AdminRoute } from './route.ts';
import { adminRoutes } from './routes.ts';

type Json = Readonly<Record<string, unknown>>;

const problem = {
  description: 'What is wrong, and what to do (RFC 9457).',
  content: { [problemType]: { schema: { $ref: '#/components/schemas/Problem' } } },
};

/** The document, ready to be served or stored. */
export function adminOpenApi(version: string): Json {
  const paths: Record<string, Record<string, Json>> = {};
  for (const [operation, route] of Object.entries<AdminRoute>(adminRoutes)) {
    const of = (paths[route.path] ??= {});
    of[route.method.toLowerCase()] = operationOf(operation, route);
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Admin API of upstreamproxy',
      version,
      description: 'See docs/reference/admin-api.md.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
    security: [{ token: [] }, {}],
    paths,
    components: {
      securitySchemes: { token: { type: 'http', scheme: 'bearer', description: 'A token for this API.' } },
      schemas: { Problem: problemSchema },
    },
  };
}

const problemSchema = {
  type: 'object',
  required: ['type', 'title', 'status', 'detail', 'code'],
  properties: {
    type: { type: 'string' },
    title: { type: 'string' },
    status: { type: 'integer' },
    detail: { type: 'string', description: 'A sentence for a person.' },
    code: { type: 'string', description: 'A code of errors.md.' },
    trace_id: { type: 'string' },
  },
};

function operationOf(operationId: string, route: AdminRoute): Json {
  const { role, isOpen, summary, query, body, status = 200 } = route;
  const parameters = [...pathParameters(route.path), ...queryParameters(query), ...fieldParameters(route)];
  return {
    operationId,
    summary,
    'x-role': role,
    ...(isOpen === true ? { security: [] } : {}),
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(body === undefined
      ? {}
      : {
          requestBody: {
            required: true,
            content: { 'application/json': { schema: schemaOf(body, 'input') } },
          },
        }),
    responses: {
      [status]: {
        description: summary,
        content: { [mediaType(route)]: { schema: schemaOf(route.output, 'input') } },
      },
      default: problem,
    },
  };
}

function mediaType({ form = 'json' }: AdminRoute): string {
  return { json: 'application/json', stream: 'text/event-stream', text: 'text/plain' }[form];
}

function pathParameters(path: string): readonly Json[] {
  return path
    .split('/')
    .filter((part) => part.startsWith('{'))
    .map((part) => ({
      name: part.slice(1, -1),
      in: 'path',
      required: true,
      schema: { type: 'string', minLength: 1, maxLength: 200 },
    }));
}

function queryParameters(query: z.ZodType | undefined): readonly Json[] {
  if (query === undefined) return [];
  // What a query means once it is read: numbers are numbers.
  const { properties = {} } = schemaOf(query, 'output') as { properties?: Readonly<Record<string, Json>> };
  return Object.entries(properties).map(([name, { description, ...schema }]): Json => {
    return { name, in: 'query', description: description ?? name, schema };
  });
}

/** Fields that every operation of a kind takes. */
function fieldParameters({ method, form = 'json', asks, isOpen }: AdminRoute): readonly Json[] {
  const field = (name: string, description: string): Json => ({
    name,
    in: 'header',
    description,
    schema: { type: 'string' },
  });
  if (asks === true || isOpen === true) return [];
  if (method !== 'GET')
    return [
      field(
        'Idempotency-Key',
        'The same key with the same request does it once, and gets the same response.',
      ),
      field('If-Match', 'Only if it still has this ETag.'),
    ];
  return form === 'json' ? [field('If-None-Match', '304 if it still has this ETag.')] : [];
}

function schemaOf(schema: z.ZodType, io: 'input' | 'output'): Json {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, {
    io,
    unrepresentable: 'any',
    override: ({ jsonSchema }) => {
      // The pattern of a time says nothing that its format does not.
      if (jsonSchema.format === 'date-time') delete jsonSchema.pattern;
      delete jsonSchema.readOnly;
    },
  });
  return rest;
}
