// The parser of the package `graphql`.

import type { DocumentNode } from 'graphql/language/ast.js';

/** As much of it as is used. */
export interface GraphqlParser {
  /** @throws GraphQLError for what is no document */
  readonly parse: (text: string, tokensMax: number) => DocumentNode;
  /** Kinds of its tokens one by one, `<EOF>` behind the last. @throws GraphQLError */
  readonly tokens: (text: string) => () => string;
}

/** Loaded for the first document: a gateway without rules about GraphQL does not have it. */
export async function loadGraphqlParser(): Promise<GraphqlParser> {
  const [{ parse }, { Lexer }, { Source }] = await Promise.all([
    import('graphql/language/parser.js'),
    import('graphql/language/lexer.js'),
    import('graphql/language/source.js'),
  ]);
  return {
    parse: (text, maxTokens) => parse(text, { noLocation: true, maxTokens }),
    tokens: (text) => {
      const lexer = new Lexer(new Source(text));
      return () => lexer.advance().kind;
    },
  };
}
