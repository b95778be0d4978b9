package redact
import ("testing";"strings";"time";"fmt")
func TestAdv(t *testing.T){
 d:=mustNew(t,Kinds()...)
 for _,p:=range append([]string{"1","4","41","4 ","12 ","123456789 ","123-45-","a@b ","a@b.","eyJ","eyJa.","-----BEGIN PRIVATE KEY","password:\"x","password=","ghp_","xoxb","DE89 ","1(","1\u200b","born 1985-03-1","3 March ","March 3","'@a","\u200b","..","@a.bb","\"@a.b","[SSN] 123456789","123-45-6789 123456789 ","123456789 [SSN] ", "born 1 1 1985 ","0 ","030 ","1 2 3 ","+1","tel 12345678","0101","A123456780","\"a\"@b.cc","@[1.1","1EG4-TE5-MK7", "=", "a=\"", "token: \\\\"}, pieces...) {
  x:=strings.Repeat(p,1000000/len(p))
  s:=time.Now(); _,n:=d.Replace(x); e:=time.Since(s)
  if e>300*time.Millisecond { fmt.Printf("%q %v hits %d\n",p,e,n) }
 }
}
