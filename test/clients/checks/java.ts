// The Java virtual machine: its own clients, build tools and package managers.

import type { ClientCheck } from '../check.ts';

const javaVersion = ['java', '-version'];
const options = 'JAVA_TOOL_OPTIONS (proxy and key store)';

function programCheck(id: string, client: string, body: string): ClientCheck {
  return {
    id,
    client,
    version: javaVersion,
    needs: ['java', 'javac'],
    how: options,
    files: {
      'Program.java': `import java.io.*;
import java.net.*;
import java.net.http.*;
import javax.net.ssl.*;

public class Program {
  public static void main(String[] arguments) throws Exception {
${body}
  }
}
`,
    },
    command: ['java', 'Program.java'],
    expect: /^hello from web$/m,
  };
}

const programs: readonly ClientCheck[] = [
  programCheck(
    'java-huc',
    'HttpURLConnection',
    `    System.out.println(new String(new URL("@https:web@/hello").openStream().readAllBytes()));`,
  ),
  programCheck(
    'java-httpclient',
    'java.net.http',
    `    var client = HttpClient.newHttpClient();
    var request = HttpRequest.newBuilder(URI.create("@https:web@/hello")).build();
    System.out.println(client.send(request, HttpResponse.BodyHandlers.ofString()).body());`,
  ),
  {
    ...programCheck(
      'java-socket',
      'SSLSocket of Java',
      `    var socket = (SSLSocket) SSLSocketFactory.getDefault().createSocket("@host:web@", @port:https@);
    socket.getOutputStream().write("GET /hello HTTP/1.1\\r\\nHost: @authority:web@\\r\\nConnection: close\\r\\n\\r\\n".getBytes());
    System.out.println(new String(socket.getInputStream().readAllBytes()));`,
    ),
    how: 'capture; JAVA_TOOL_OPTIONS (key store)',
    expected: { environment: { outcome: 'fail', reason: 'a socket reads no proxy property' } },
  },
];

const antTarget = (
  body: string,
): string => `<project name="project" default="fetch" xmlns:ivy="antlib:org.apache.ivy.ant">
${body}
</project>
`;

const buildTools: readonly ClientCheck[] = [
  {
    id: 'maven',
    client: 'Maven',
    version: ['mvn', '--version'],
    needs: ['mvn', 'java'],
    how: options,
    files: {
      'settings.xml': `<settings>
  <localRepository>@dir@/repository</localRepository>
  <mirrors><mirror><id>fixture</id><mirrorOf>*</mirrorOf><url>@https:maven@/maven2</url></mirror></mirrors>
</settings>
`,
      // An extension of the build is fetched, pom and jar, without any plugin of Maven's own.
      'pom.xml': `<project>
  <modelVersion>4.0.0</modelVersion>
  <groupId>com.example</groupId>
  <artifactId>project</artifactId>
  <version>1.0</version>
  <packaging>pom</packaging>
  <build>
    <extensions>
      <extension><groupId>com.example</groupId><artifactId>library</artifactId><version>1.0</version></extension>
    </extensions>
  </build>
</project>
`,
    },
    command: [
      'sh',
      '-c',
      'mvn --batch-mode --settings settings.xml validate && find repository -name "*.jar"',
    ],
    expect: /BUILD SUCCESS[^]*library-1\.0\.jar/,
  },
  {
    id: 'gradle',
    client: 'Gradle',
    version: ['gradle', '--version'],
    needs: ['gradle', 'java'],
    how: options,
    files: {
      'build.gradle': `repositories { maven { url '@https:maven@/maven2' } }
configurations { fixture }
dependencies { fixture 'com.example:library:1.0' }
task fetch { doLast { configurations.fixture.each { println it.name } } }
`,
      'settings.gradle': "rootProject.name = 'project'\n",
    },
    env: { GRADLE_USER_HOME: '@dir@/gradle' },
    command: ['gradle', '--no-daemon', '--quiet', 'fetch'],
    expect: /^library-1\.0\.jar$/m,
    timeoutMs: 120_000,
  },
  {
    id: 'ivy-ant',
    client: 'Ivy in Ant',
    version: ['ant', '-version'],
    needs: ['ant', 'java', '/usr/share/java/ivy.jar'],
    how: options,
    files: {
      'build.xml':
        antTarget(`  <taskdef resource="org/apache/ivy/ant/antlib.xml" uri="antlib:org.apache.ivy.ant" classpath="/usr/share/java/ivy.jar"/>
  <target name="fetch">
    <ivy:settings file="settings.xml"/>
    <ivy:retrieve organisation="com.example" module="library" revision="1.0" inline="true" conf="default" pattern="lib/[artifact]-[revision].[ext]"/>
  </target>`),
      'settings.xml': `<ivysettings>
  <caches defaultCacheDir="@dir@/cache"/>
  <settings defaultResolver="fixture"/>
  <resolvers><ibiblio name="fixture" m2compatible="true" root="@https:maven@/maven2"/></resolvers>
</ivysettings>
`,
    },
    command: ['sh', '-c', 'ant fetch && ls lib'],
    expect: /^library-1\.0\.jar$/m,
  },
  {
    id: 'ant-autoproxy',
    client: 'Ant',
    version: ['ant', '-version'],
    needs: ['ant', 'java'],
    how: options,
    files: {
      'build.xml': antTarget('  <target name="fetch"><get src="@https:web@/hello" dest="out"/></target>'),
    },
    command: ['sh', '-c', 'ant -autoproxy fetch && cat out'],
    expect: /^hello from web$/m,
  },
  {
    id: 'lein',
    client: 'Leiningen',
    version: ['lein', 'version'],
    needs: ['lein', 'java'],
    how: options,
    files: {
      'project.clj': `(defproject project "1.0"
  :local-repo "@dir@/repository"
  :repositories ^:replace [["fixture" "@https:maven@/maven2"]]
  :plugin-repositories ^:replace [["fixture" "@https:maven@/maven2"]]
  :dependencies [[com.example/library "1.0"]])
`,
    },
    env: { LEIN_SILENT: '' },
    command: ['sh', '-c', 'lein with-profile provided deps && find repository -name "*.jar"'],
    expect: /library-1\.0\.jar/,
    timeoutMs: 120_000,
  },
];

export const javaChecks: readonly ClientCheck[] = [...programs, ...buildTools];
