package simulate
import ("testing";"path/filepath")
func TestDbg(t *testing.T){
 k:=knobs{sum:60,budget:60,stateful:true,held:"granted"}
 set:=load(t,k.policy("default"))
 mk:=func(id string, s *string) call { return call{Session:s,Seq:ptr(int64(0)),Agent:ptr("a"),Tool:ptr("pay"),Action:ptr(id),Args:ptr(`{"amount":1,"currency":"USD"}`)} }
 rows:=[]call{mk("i0",nil),mk("i1",ptr("s")),mk("i2",nil),mk("i3",nil),mk("i4",ptr("s"))}
 dir:=t.TempDir()
 out:=filepath.Join(dir,"o.parquet")
 for range 3 {
 rep,err:=Run(t.Context(),set,Options{Traffic:save(t,dir,rows,1,100),Decisions:out,Workers:1})
 if err!=nil{t.Fatal(err)}
 t.Log(rep.Reordered)
 for _,d:=range readDecisions(t,out){ t.Logf("%s %v %s %v", is(d.Action), is(d.Session), d.Decision, d.Reasons)}
 }
}
