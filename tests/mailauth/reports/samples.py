"""Reports as large providers write them: shapes that were seen in the wild, with everything in them made up."""

GOOGLE = b"""<?xml version="1.0" encoding="UTF-8" ?>
<feedback>
  <version>1.0</version>
  <report_metadata>
    <org_name>google.example</org_name>
    <email>noreply-dmarc-support@google.example</email>
    <extra_contact_info>https://support.google.example/a/answer/2466580</extra_contact_info>
    <report_id>11223344556677889900</report_id>
    <date_range>
      <begin>1700006400</begin>
      <end>1700092799</end>
    </date_range>
  </report_metadata>
  <policy_published>
    <domain>example.org</domain>
    <adkim>r</adkim>
    <aspf>r</aspf>
    <p>none</p>
    <sp>none</sp>
    <pct>100</pct>
    <np>none</np>
  </policy_published>
  <record>
    <row>
      <source_ip>192.0.2.1</source_ip>
      <count>2</count>
      <policy_evaluated>
        <disposition>none</disposition>
        <dkim>pass</dkim>
        <spf>fail</spf>
      </policy_evaluated>
    </row>
    <identifiers>
      <header_from>example.org</header_from>
    </identifiers>
    <auth_results>
      <dkim>
        <domain>example.org</domain>
        <result>pass</result>
        <selector>s2023</selector>
      </dkim>
      <spf>
        <domain>bounce.example.net</domain>
        <result>pass</result>
      </spf>
    </auth_results>
  </record>
</feedback>
"""

MICROSOFT = b"""<?xml version="1.0"?>
<feedback xmlns:xsd="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
  <version>1.0</version>
  <report_metadata>
    <org_name>Enterprise Outlook</org_name>
    <email>dmarcreport@microsoft.example</email>
    <report_id>0123456789abcdef0123456789abcdef</report_id>
    <date_range><begin>1700006400</begin><end>1700092800</end></date_range>
  </report_metadata>
  <policy_published>
    <domain>example.org</domain><adkim>r</adkim><aspf>r</aspf><p>reject</p><sp>reject</sp><pct>100</pct><fo>1</fo>
  </policy_published>
  <record>
    <row>
      <source_ip>2001:db8::25</source_ip>
      <count>7</count>
      <policy_evaluated>
        <disposition>reject</disposition><dkim>fail</dkim><spf>fail</spf>
      </policy_evaluated>
    </row>
    <identifiers>
      <envelope_to>outlook.example</envelope_to>
      <envelope_from>spammer.example</envelope_from>
      <header_from>example.org</header_from>
    </identifiers>
    <auth_results>
      <spf><domain>spammer.example</domain><scope>mfrom</scope><result>softfail</result></spf>
    </auth_results>
  </record>
</feedback>"""

YAHOO = b"""<?xml version="1.0"?>
<feedback>
  <report_metadata>
    <org_name>Yahoo</org_name>
    <email>dmarchelp@yahooinc.example</email>
    <report_id>1700100000.123456</report_id>
    <date_range>
      <begin>1700006400</begin>
      <end>1700092799 </end>
    </date_range>
  </report_metadata>
  <policy_published>
    <domain>example.org</domain>
    <adkim>r</adkim>
    <aspf>r</aspf>
    <p>none</p>
    <pct>100</pct>
  </policy_published>
  <record>
    <row>
      <source_ip>192.0.2.7</source_ip>
      <count>1</count>
      <policy_evaluated>
        <disposition>none</disposition>
        <dkim>fail</dkim>
        <spf>fail</spf>
        <reason><type>forwarded</type><comment></comment></reason>
      </policy_evaluated>
    </row>
    <identifiers>
      <header_from>Example.ORG</header_from>
    </identifiers>
    <auth_results>
      <dkim>
        <domain>example.org</domain>
        <selector>s2023</selector>
        <result>permerror</result>
      </dkim>
      <spf>
        <domain>forwarder.example</domain>
        <result>unknown</result>
      </spf>
    </auth_results>
  </record>
</feedback>
"""

FASTMAIL = b"""<?xml version="1.0" encoding="UTF-8"?>
<feedback xmlns="urn:ietf:params:xml:ns:dmarc-2.0" xmlns:ext="urn:example:ext">
<version>1.0</version>
<report_metadata>
<org_name>Fastmail Pty Ltd</org_name>
<email>reports@fastmaildmarc.example</email>
<report_id>654321098</report_id>
<date_range><begin>1700006400</begin><end>1700092799</end></date_range>
<error>an error of theirs</error>
<generator>Mail::DMARC 1.20240314</generator>
</report_metadata>
<policy_published>
<domain>example.org</domain><discovery_method>treewalk</discovery_method>
<p>quarantine</p><sp>none</sp><np>reject</np><adkim>s</adkim><aspf>s</aspf><fo>0:d</fo><testing>y</testing>
</policy_published>
<extension><ext:arc-override>never</ext:arc-override></extension>
<record>
<row><source_ip>198.51.100.9</source_ip><count>3</count>
<policy_evaluated><disposition>none</disposition><dkim>pass</dkim><spf>pass</spf>
<reason><type>policy_test_mode</type></reason>
<reason><type>mailing_list</type><comment>arc=pass &amp; a list</comment></reason></policy_evaluated></row>
<identifiers><envelope_to>fastmail.example</envelope_to><envelope_from></envelope_from><header_from>news.example.org</header_from></identifiers>
<auth_results>
<dkim><domain>example.org</domain><selector>a</selector><result>pass</result></dkim>
<dkim><domain>esp.example</domain><selector>b</selector><result>pass</result>
<human_result>2048-bit key</human_result></dkim>
<spf><domain>mx.example.org</domain><scope>helo</scope><result>pass</result></spf>
</auth_results>
<ext:arc-results><ext:result>pass</ext:result></ext:arc-results>
</record>
</feedback>"""

TLS_GOOGLE = b"""{"organization-name":"Google Inc.","date-range":{"start-datetime":"2023-11-15T00:00:00Z",
"end-datetime":"2023-11-15T23:59:59Z"},"contact-info":"smtp-tls-reporting@google.example","report-id":"2023-11-15T00:00:00Z_example.org",
"policies":[{"policy":{"policy-type":"sts","policy-string":["version: STSv1","mode: enforce","mx: mx.example.org",
"max_age: 604800"],"policy-domain":"example.org","mx-host":["mx.example.org"]},
"summary":{"total-successful-session-count":12,"total-failure-session-count":3},"failure-details":[{"result-type":"certificate-expired","sending-mta-ip":"192.0.2.5",
"receiving-ip":"198.51.100.1","receiving-mx-hostname":"mx.example.org","failed-session-count":3}]}]}"""

TLS_MICROSOFT = b"""{"organization-name":"Microsoft Corporation","date-range":{"start-datetime":"2023-11-15T00:00:00Z",
"end-datetime":"2023-11-15T23:59:59Z"},"contact-info":"tlsrpt-noreply@microsoft.example","report-id":"133445+example.org",
"policies":[{"policy":{"policy-type":"no-policy-found","policy-domain":"example.org"},
"summary":{"total-successful-session-count":"4","total-failure-session-count":0}}]}"""
